metadata description = 'A file share as a storage of a Container Apps environment.'

@description('The environment.')
param environmentName string

@description('Name of the storage in the environment.')
param storageName string

@description('Storage account of the share.')
param accountName string

@description('A key of that account: Container Apps mounts shares over SMB.')
@secure()
param accountKey string

@description('The share.')
param shareName string

@description('Whether apps may write to it.')
@allowed(['ReadOnly', 'ReadWrite'])
param accessMode string

resource environment 'Microsoft.App/managedEnvironments@2025-01-01' existing = {
  name: environmentName
}

resource storage 'Microsoft.App/managedEnvironments/storages@2025-01-01' = {
  parent: environment
  name: storageName
  properties: {
    azureFile: {
      accountName: accountName
      accountKey: accountKey
      shareName: shareName
      accessMode: accessMode
    }
  }
}
